import java.io.File;
import javax.activation.FileDataSource;
import org.apache.pdfbox.preflight.PreflightDocument;
import org.apache.pdfbox.preflight.ValidationResult;
import org.apache.pdfbox.preflight.parser.PreflightParser;

/** Prints one line per breach of PDF/A-1b in the file given; nothing when there is none. */
public class Preflight {
    public static void main(String[] args) throws Exception {
        PreflightParser parser = new PreflightParser(new FileDataSource(new File(args[0])));
        parser.parse();
        try (PreflightDocument document = parser.getPreflightDocument()) {
            document.validate();
            for (ValidationResult.ValidationError error : document.getResult().getErrorsList()) {
                System.out.println(error.getErrorCode() + " " + error.getDetails());
            }
        }
    }
}
